"""Constitutional AI step by step (Bai et al. 2022, arXiv:2212.08073): what is said, as data; and the steps in order."""
