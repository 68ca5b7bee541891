"""The only place that touches PyAV: probe, decode, seek, encode, mux."""
