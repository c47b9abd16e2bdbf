"""Names and addresses by a model: any ONNX token classifier in a folder, with the extra `ner`.

`wordpiece` splits texts as BERT models need them, `classifier` runs the model, `model_reader`
decides what it reads, within a time budget, and weighs what it finds with what the text itself
says. Nothing here is imported unless a search has the property `ner`.
"""
