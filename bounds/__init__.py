"""Information-theoretic quantities and bounds of two modalities and a label.

Pure functions of discrete tables: no models, no data sets. Arrays put the
alphabets last and in the order `p[..., x1, x2, y]`; leading axes are batch
axes; all quantities are in bits unless a function says otherwise.
"""

from bounds import coupling as coupling
from bounds import information as information
from bounds import marginals as marginals
from bounds import synergy_lower as synergy_lower
from bounds import synergy_upper as synergy_upper
from bounds.accuracy import AccuracyInterval as AccuracyInterval
from bounds.accuracy import accuracy_interval as accuracy_interval
from bounds.decomposition import PID as PID
from bounds.decomposition import pid as pid
from bounds.decomposition import pid_from_marginals as pid_from_marginals
from bounds.decomposition import stack_tables as stack_tables
from bounds.errors import InputError as InputError
from bounds.maximum_entropy import MaxEnt as MaxEnt
from bounds.maximum_entropy import maxent as maxent
from bounds.status import Status as Status
from bounds.synergy import SynergyInterval as SynergyInterval
from bounds.synergy import synergy_interval as synergy_interval
