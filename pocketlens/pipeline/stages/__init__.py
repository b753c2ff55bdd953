"""The stages from a source to verified artifacts, a file each; every one is cached by all that it depends on."""
