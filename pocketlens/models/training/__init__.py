"""What every training shares: losses, averages, progress, and a state that survives a kill."""
