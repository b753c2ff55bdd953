"""The searches: which rewrites are faster on a device, and which layers a low-bit artifact must keep in float."""
