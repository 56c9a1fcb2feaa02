"""One module a dataset: its name is the source's, its `read` the reader."""
