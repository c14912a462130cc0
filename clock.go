package remora

import "time"

// Clock is the wall clock, so that a test can make it jump. Durations that are
// billed or that end a run are never taken from it but from monotonic readings.
type Clock func() time.Time
