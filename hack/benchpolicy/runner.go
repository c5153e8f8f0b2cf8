package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
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
// asked anew before each call, for a run may serve several tables. A call that
// fails does not keep the others from being made; its error comes in the end.
func (o options) runAll(tables []table, s *store) error {
	begin, speed, made, failed := time.Now(), pace{}, 0, map[string]error{}
	for {
		left, err := o.left(tables, s, failed)
		switch {
		case err != nil:
			return err
		case len(left) == 0:
			return errors.Join(slices.Collect(maps.Values(failed))...)
		case o.limit > 0 && time.Since(begin) > o.limit:
			fmt.Printf("%d calls are left, about %v; run it again to go on\n", len(left), speed.left(efforts(left)))
			return errors.Join(slices.Collect(maps.Values(failed))...)
		}
		made++
		c := left[0]
		fmt.Printf("%s  %3d/%d  %s", time.Now().Format(time.TimeOnly), made, made+len(left)-1, c)
		took, err := o.simulate(c, s)
		if err != nil {
			failed[c.String()] = err
			fmt.Printf("  FAILED: %v\n", err)
			continue
		}
		speed.effort, speed.seconds = speed.effort+c.effort(), speed.seconds+took.Seconds()
		fmt.Printf("  %.0f s; about %v left\n", took.Seconds(), speed.left(efforts(left[1:])))
	}
}

// left are the calls to make, each once, in order.
func (o options) left(tables []table, s *store, failed map[string]error) (left []call, err error) {
	planned := map[string]bool{} // by an earlier table
	for _, t := range tables {
		calls, err := t.calls(s, o.asked)
		if err != nil {
			return nil, err
		}
		for _, c := range calls {
			key := c.String()
			if planned[key] || failed[key] != nil || !o.wanted(t, c) {
				continue
			}
			planned[key] = true
			left = append(left, c)
		}
	}
	return left, nil
}

func efforts(calls []call) (sum float64) {
	for _, c := range calls {
		sum += c.effort()
	}
	return sum
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

// simulate calls the command, with more in its environment, and returns its runs.
func simulate(binary string, args []string, env ...string) ([]figures, error) {
	var out, errs bytes.Buffer
	cmd := exec.Command(binary, append([]string{"simulate", "--json", "-"}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, errs.Bytes())
	}
	return parse(out.Bytes())
}
