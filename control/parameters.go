package control

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/modules"
)

// params is what a run's arguments mean.
type params struct {
	env                    map[string]string // for the script, all arguments in it
	storeHead, storeWorker int               // per cent of memory, 0 if not given
	warnings               []string          // for the run's log, sorted
}

// notYet are parameters of Ray jobs that Remora knows and does not act on.
var notYet = map[string]string{
	"min-workers":                     "all workers are started at once and stay",
	"auto-scaling-ray-min-workers":    "all workers are started at once and stay",
	"object_spilling_config":          "objects spill to the cluster's own directory",
	"logging_configuration":           "all logs are kept",
	"enable-metrics":                  "no metrics are written",
	"enable-observability-metrics":    "no metrics are written",
	"customer-driver-env-vars":        "the variables are not set",
	"customer-executor-env-vars":      "the variables are not set",
	"python-modules-installer-option": "packages are installed without it",
}

// sparkOnly are parameters that mean something to Glue's Spark and Python shell
// jobs alone. AWS Glue ignores them for Ray in silence.
var sparkOnly = []string{"class", "conf", "continuous-log-logGroup", "continuous-log-logStreamPrefix",
	"continuous-log-conversionPattern", "datalake-formats", "disable-proxy-v2", "enable-auto-scaling",
	"enable-continuous-cloudwatch-log", "enable-continuous-log-filter", "enable-job-insights", "enable-rename-algorithm-v2",
	"enable-s3-parquet-optimized-committer", "enable-spark-ui", "executor-cores", "extra-files", "extra-jars",
	"job-bookmark-option", "job-bookmark-from", "job-bookmark-to", "number-of-executors", "optimize-shuffle",
	"scriptLocation", "spark-event-logs-path", "use-postgres-driver", "user-jars-first",
	"write-shuffle-files-to-s3", "write-shuffle-spills-to-s3"}

// parameters reads a run's effective arguments. Every one of them reaches the
// script as an environment variable, named as the argument without its dashes.
func parameters(args map[string]string) params {
	p := params{env: make(map[string]string, len(args))}
	warn := func(format string, a ...any) { p.warnings = append(p.warnings, fmt.Sprintf(format, a...)) }
	// In order, so that of "x" and "--x" it is always the same that counts.
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(args))) {
		value := args[key]
		name := strings.TrimPrefix(key, "--")
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			warn("argument %q cannot be an environment variable, the script does not get it", key)
			continue
		}
		p.env[name] = value
		if !strings.HasPrefix(key, "--") {
			continue
		}
		switch effect, known := notYet[name]; {
		case name == "object_store_memory_head":
			p.storeHead, _ = percent(value)
		case name == "object_store_memory_worker":
			p.storeWorker, _ = percent(value)
		case known:
			warn("parameter %s is not supported yet: %s", key, effect)
		case slices.Contains(sparkOnly, name):
			warn("parameter %s has no meaning for Ray jobs and does nothing", key)
		}
	}
	slices.Sort(p.warnings)
	return p
}

// CheckParameters refuses values that a run could only fail on.
func CheckParameters(op string, args map[string]string) error {
	for _, name := range []string{"--object_store_memory_head", "--object_store_memory_worker"} {
		if v, ok := args[name]; ok {
			if _, err := percent(v); err != nil {
				return remora.Invalidf(op, name, "%s must be a whole number from 1 to 100 (per cent of a node's memory), not %q", name, v)
			}
		}
	}
	if _, err := modules.FromArguments(args); err != nil {
		return remora.Errorf(remora.KindOf(err), op, "", "%s", remora.MessageOf(err))
	}
	return nil
}

func percent(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 1 || n > 100 {
		return 0, fmt.Errorf("not a percentage: %q", s)
	}
	return n, nil
}
