package bars

import "strconv"

// State says how a figure stands to a bar.
type State int

// There is no bar, it is met, or it is missed.
const (
	None State = iota
	Met
	Missed
)

// String is the word for people.
func (s State) String() string { return [...]string{"", "met", "missed"}[s] }

// AtLeast says whether more is better.
func (k Kind) AtLeast() bool { return k <= Committed }

// slack is what a number of allocations may be off: the harness and background work make some too,
// few over many operations.
const slack = .05

func (v *Verdict) against(limit float64) State {
	if limit < 0 {
		return None
	}
	met := v.Value <= limit
	switch {
	case v.Goal.Kind.AtLeast():
		met = v.Value >= limit
	case v.Goal.Kind == Allocations:
		met = v.Value < limit+slack
	}
	if met {
		return Met
	}
	return Missed
}

// Bar says whether the bar is met.
func (v *Verdict) Bar() State { return v.against(v.Goal.Bar) }

// Step says whether the first step is passed.
func (v *Verdict) Step() State { return v.against(v.Goal.Step) }

// Limit writes a bar or a step with its direction: "≥ 2.4"; empty if there is none.
func (g Goal) Limit(limit float64) string {
	if limit < 0 {
		return ""
	}
	sign := "≤ "
	if g.Kind.AtLeast() {
		sign = "≥ "
	}
	return sign + strconv.FormatFloat(limit, 'f', -1, 64)
}
