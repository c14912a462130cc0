package main

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// sample is a set of durations.
type sample []time.Duration

// at returns the q-quantile, by the nearest rank.
func (s sample) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	i := int(q*float64(len(sorted))+0.5) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

func secs(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

// table prints rows of cells in columns.
func table(title string, rows ...[]string) {
	fmt.Printf("\n%s\n\n", title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	for _, r := range rows {
		for _, c := range r {
			fmt.Fprint(w, c, "\t")
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}
