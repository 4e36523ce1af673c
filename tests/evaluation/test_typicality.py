import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from fewscan.data.dataset import Dataset
from fewscan.data.splits import split
from fewscan.evaluation.image_statistics import ImageStatistics
from fewscan.evaluation.typicality import FALSE_ALARMS, Density, Gate, Typicality
from tests.practice import practice_pixels
