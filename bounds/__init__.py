"""Information-theoretic quantities and bounds of two modalities and a label.

Pure functions of discrete tables: no models, no data sets. Arrays put the
alphabets last and in the order `p[..., x1, x2, y]`; leading axes are batch
axes; all quantities are in bits unless a function says otherwise.
"""

from bounds.status import Status as Status
