"""From a user's media files to records: an index, then a preparation.

The index reads lists and names of files only. The preparation decodes each file
once, in a pool of processes, into shards of array_record that are read back in
any order. TFDS's builders, which the small data sets use, write all or nothing
and in one process; here what was decoded outlives a kill. `export` is such a
builder, over the records.
"""

from arm_jax.data.preparation.engine import Plan as Plan
from arm_jax.data.preparation.engine import prepare as prepare
from arm_jax.data.preparation.files import Unusable as Unusable
from arm_jax.data.preparation.items import Index as Index
from arm_jax.data.preparation.items import Item as Item
from arm_jax.data.preparation.opened import Prepared as Prepared
from arm_jax.data.preparation.opened import check_options as check_options
from arm_jax.data.preparation.opened import opened as opened
