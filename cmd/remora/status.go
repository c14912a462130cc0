package main

import (
	"fmt"
	"time"

	"github.com/remora-project/remora/api/operator"
	"github.com/remora-project/remora/internal/config"
)

type statusCmd struct{}

func (statusCmd) Run(s *scope) error {
	ready, err := s.running()
	if err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	st, err := operator.GetStatus(s.ctx, c)
	if err != nil {
		return err
	}
	fmt.Printf("server    process %d, API %s, S3 %s\n", ready.PID, ready.Endpoint, ready.S3Endpoint)
	fmt.Printf("runs      %d open\n", st.Runs)
	fmt.Printf("sessions  %d open\n", st.Sessions)
	var total int64
	for _, w := range st.Warm {
		total += w.Memory
	}
	fmt.Printf("warm      %d clusters ready, %s of memory\n", len(st.Warm), config.Bytes(total))
	for _, w := range st.Warm {
		fmt.Printf("          %s, %d workers of %s: ready for %s, %s\n", w.Runtime, w.Workers, w.WorkerType,
			time.Since(w.Since).Round(time.Second), config.Bytes(w.Memory))
	}
	return nil
}
