"""Information-theoretic quantities and bounds of two modalities and a label.

Pure functions of discrete tables: no models, no data sets. Arrays put the
alphabets last and in the order `p[..., x1, x2, y]`; leading axes are batch
axes; all quantities are in bits unless a function says otherwise.
"""

from bounds import information as information
from bounds.decomposition import PID as PID
from bounds.decomposition import pid as pid
from bounds.decomposition import pid_from_marginals as pid_from_marginals
from bounds.decomposition import stack_tables as stack_tables
from bounds.status import Status as Status
