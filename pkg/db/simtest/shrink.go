package simtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Shrink looks for a shorter script that goes wrong, too, by leaving steps out, for at most so
// long. What comes back has the story of that; f itself if it does not happen again: then what the
// engine does in the background has its part in it.
func Shrink(ctx context.Context, c Config, f *Failure, patience time.Duration) *Failure {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := func(steps []int) *Failure {
		s := &Summary{Kinds: map[string]int{}, Faults: map[string]int{}}
		return playEpisode(ctx, c, f.Episode, steps, s)
	}
	best := again(f.Steps)
	for range 2 {
		if best == nil {
			best = again(f.Steps)
		}
	}
	if best == nil {
		return f
	}
	for size := len(best.Steps) / 2; size > 0 && ctx.Err() == nil; {
		smaller := false
		for from := 0; from < len(best.Steps)-1 && ctx.Err() == nil; {
			to := min(from+size, len(best.Steps)-1) // the last step is the one that shows it
			if g := again(slices.Concat(best.Steps[:from], best.Steps[to:])); g != nil {
				best, smaller = g, true
			} else {
				from = to
			}
		}
		if !smaller || size > 1 {
			size /= 2
		}
	}
	return best
}

// Script is the steps as ParseSteps takes them.
func (f *Failure) Script() string {
	var parts []string
	for i := 0; i < len(f.Steps); {
		j := i
		for j+1 < len(f.Steps) && f.Steps[j+1] == f.Steps[j]+1 {
			j++
		}
		part := strconv.Itoa(f.Steps[i])
		if j > i {
			part += "-" + strconv.Itoa(f.Steps[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// ParseSteps reads numbers and ranges such as 3,17,29-40.
func ParseSteps(text string) (steps []int, err error) {
	for _, part := range strings.Split(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("steps %q: %w", text, err)
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			return nil, fmt.Errorf("steps %q: %w", text, err)
		}
		for n := from; n <= to; n++ {
			steps = append(steps, n)
		}
	}
	return steps, nil
}

// Report is the failure for people: what is wrong, the last lines of the story, and the command
// that plays it again.
func (f *Failure) Report() string {
	const most = 60
	story := f.Story
	if len(story) > most {
		story = append([]string{story[0], "..."}, story[len(story)-most:]...)
	}
	return fmt.Sprintf("%s\n\n%v\n\nagain: make sim SEED=%d EPISODE=%d ONLY=%s\n",
		strings.Join(story, "\n"), f, f.Seed, f.Episode, f.Script())
}
