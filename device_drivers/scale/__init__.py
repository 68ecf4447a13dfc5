"""Scales: MT-SICS (Mettler Toledo and many others), Toledo 8217, NCI. Weights come out as exact grams."""
