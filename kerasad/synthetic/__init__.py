"""Three families of synthetic defects, for training, for choosing and for the demo's test set.

They are never mixed: a network does not train on the family that chooses its fusion weights, and
it is tested on neither of the two.
"""

from kerasad.synthetic.choosing import ChoosingDefects
from kerasad.synthetic.demo import write_demo
from kerasad.synthetic.training import TrainingDefects

__all__ = ["ChoosingDefects", "TrainingDefects", "write_demo"]
