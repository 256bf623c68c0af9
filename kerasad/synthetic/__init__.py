"""Three families of synthetic defects, never mixed: for training, for choosing, for the demo."""

from kerasad.synthetic.choosing import ChoosingDefects
from kerasad.synthetic.demo import write_demo
from kerasad.synthetic.training import TrainingDefects

__all__ = ["ChoosingDefects", "TrainingDefects", "write_demo"]
