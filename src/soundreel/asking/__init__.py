"""The verb `ask`: reads datasets, clips, models and films, and has the evidence computed."""
