# Home Assistant puts probatio in voluptuous' place; its types are then probatio's.
from probatio import *
