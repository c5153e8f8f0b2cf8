package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// pace is how long an effort takes here: a guess until some was made.
type pace struct{ effort, seconds float64 }

// left is the time that an effort will take.
func (p pace) left(effort float64) time.Duration {
	per := 0.7 // two cores
	if p.effort > 0 {
		per = p.seconds / p.effort
	}
	return time.Duration(effort * per * float64(time.Second)).Round(time.Second)
}

// runAll makes the runs that are not there, table by table. What is left is
// asked anew before each call, for a run may serve several tables.
func (o options) runAll(tables []table, s *store) error {
	begin, speed, made := time.Now(), pace{}, 0
	for {
		next, left, effort, err := o.next(tables, s)
		switch {
		case err != nil:
			return err
		case left == 0:
			return nil
		case o.limit > 0 && time.Since(begin) > o.limit:
			fmt.Printf("%d calls are left, about %v; run it again to go on\n", left, speed.left(effort))
			return nil
		}
		made++
		fmt.Printf("%s  %3d/%d  %s, seeds %d to %d, %d policies", time.Now().Format(time.TimeOnly), made, made+left-1, next.cell.name(), next.from, next.to, len(next.policies))
		took, err := o.simulate(next, s)
		if err != nil {
			return err
		}
		speed.effort, speed.seconds = speed.effort+next.effort(), speed.seconds+took.Seconds()
		fmt.Printf("  %.0f s; about %v left\n", took.Seconds(), speed.left(effort-next.effort()))
	}
}

// next is the first call that is left, how many there are and their effort.
func (o options) next(tables []table, s *store) (first call, left int, effort float64, err error) {
	planned := map[string]bool{} // by an earlier table
	for _, t := range tables {
		calls, err := t.calls(s, o.asked)
		if err != nil {
			return first, 0, 0, err
		}
		for _, c := range calls {
			key := fmt.Sprint(c.cell.name(), c.from, c.to, c.policies)
			if planned[key] || !o.wanted(t, c) {
				continue
			}
			planned[key] = true
			if left++; left == 1 {
				first = c
			}
			effort += c.effort()
		}
	}
	return first, left, effort, nil
}

// simulate makes the runs of a call and keeps them.
func (o options) simulate(c call, s *store) (time.Duration, error) {
	begin := time.Now()
	runs, err := simulate(o.binary, append(c.cell.args(o.traces), "--seed", fmt.Sprint(c.from), "--seeds", fmt.Sprint(c.to-c.from+1),
		"--parallel", fmt.Sprint(o.parallel), "--policy", strings.Join(c.policies, ",")))
	if err != nil {
		return 0, err
	}
	return time.Since(begin), s.add(c.cell, runs)
}

// simulate calls the command and returns its runs.
func simulate(binary string, args []string) ([]figures, error) {
	var out, errs bytes.Buffer
	cmd := exec.Command(binary, append([]string{"simulate", "--json", "-"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, errs.Bytes())
	}
	return parse(out.Bytes())
}
