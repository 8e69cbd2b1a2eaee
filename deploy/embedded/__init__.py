"""The whole platform in one process: for trying, developing and one small site."""
