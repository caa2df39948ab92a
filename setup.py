from setuptools import find_packages, setup

rooms = find_packages(include=["pdeops", "pdeops.*", "solvers", "solvers.*"])
setup(packages=[*rooms, "pdeops.conf"])
