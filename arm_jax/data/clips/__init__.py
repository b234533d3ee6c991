"""What data sets of video clips share: records, views in training, splits.

A clip becomes a record of JPEG frames, flow as JPEG images of u and v, and what
the audio front end made of its sound (`stored`); training looks at some of its
frames, cropped (`views`); protocols say what is for training and what for
testing (`protocols`); `loading` puts them together.
"""
