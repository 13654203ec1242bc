"""The user's config.ini, checked whole and turned into frozen values."""

from packbank.config.loader import load
from packbank.config.model import BusConfig, Config, Mode, PackConfig, ServiceConfig
from packbank.config.problems import InvalidConfigError

__all__ = ["BusConfig", "Config", "InvalidConfigError", "Mode", "PackConfig", "ServiceConfig", "load"]
