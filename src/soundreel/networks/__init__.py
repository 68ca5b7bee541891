"""Networks: tensors only; they know no file format but their own model folder."""
