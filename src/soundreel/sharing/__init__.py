"""Models given to others and taken from them: the Hugging Face Hub's folders, and ONNX files."""
