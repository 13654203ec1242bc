"""The numbers and masks behind numpy's arrays: for other kernels, nothing to call from Python."""
