"""The servers we compare ourselves with: whether each is installed, and how it is started with our answers' sizes."""
