"""Dilated FCN on ADE20K (Bag of Tricks, sec. 6.2): the protocols, and what mmseg lacks for them."""
