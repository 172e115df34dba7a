"""Constitutional AI (Bai et al. 2022, arXiv:2212.08073), re-run where harm is known and no label of it is used."""
