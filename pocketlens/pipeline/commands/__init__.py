"""One module a command: the steps of ``build``, ``convert``, ``distill``, ``train`` and the others, in order."""
