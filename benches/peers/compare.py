"""Interleaved runs of each workload in PUC Lua and in Crux; see .ci/peers.sh."""

import pathlib
import resource
import statistics
import subprocess
import sys

# Crux may take so many times as long as Lua.
LIMITS = {"fib": 2.0, "loop": 2.0, "binary_trees": 1.0, "churn": 1.0}


def cpu_seconds(command):
    """CPU time of a child process, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, output


def main():
    crux, runs = sys.argv[1], int(sys.argv[2])
    folder = pathlib.Path(__file__).parent
    is_good = True
    print(f"{'workload':<14} {'lua ms':>8} {'crux ms':>8} {'ratio':>6} {'limit':>6}")
    for name, limit in LIMITS.items():
        lua, ours, ratios = [], [], []
        for _ in range(runs):
            lua_s, lua_output = cpu_seconds(["lua5.4", folder / f"{name}.lua"])
            crux_s, crux_output = cpu_seconds([crux, "run", folder / f"{name}.crux"])
            if lua_output != crux_output:
                sys.exit(f"{name}: {lua_output!r} differs from {crux_output!r}")
            lua.append(lua_s)
            ours.append(crux_s)
            ratios.append(crux_s / lua_s)
        ratio = statistics.median(ratios)
        is_good &= ratio <= limit
        row = [1000 * statistics.median(lua), 1000 * statistics.median(ours)]
        print(f"{name:<14} {row[0]:8.0f} {row[1]:8.0f} {ratio:6.2f} {limit:6.1f}")
    sys.exit(0 if is_good else 1)


main()
