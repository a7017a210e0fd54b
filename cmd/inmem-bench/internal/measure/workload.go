// Package measure runs workloads: setup, warm-up, the timed part, the check of the results, again
// and again and interleaved, and turns what it saw into figures. It knows no database.
package measure

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Config is what all workloads of one invocation share.
type Config struct {
	// Keys is the number of keys in the larger databases.
	Keys int
	// ValueSize is the size of plain values in bytes; 0 stands for int64 values.
	ValueSize int
	// Seed starts every sequence of random keys.
	Seed uint64
	// Mode is the durability mode by its name: strict, batched, async or none.
	Mode string
	// Memory is the memory budget of a database, in bytes.
	Memory int64
	// Vectors is a file of vectors to measure beside those that are made up; may be empty.
	Vectors string
}

// CurveGroup is what the names of all curves begin with.
const CurveGroup = "curves"

// Curve says that a workload is one point of a curve: what an operation costs against the number of
// something else. The points of one curve differ in At and in nothing else.
type Curve struct {
	// Over is what the number is of, in the plural: "keys". Of is the operation: "get".
	Over, Of string
	At       int
}

// Name is how a point is chosen: "curves/keys/get/1k". The workload may have another name.
func (c *Curve) Name() string {
	return CurveGroup + "/" + c.Over + "/" + c.Of + "/" + Count(c.At)
}

// Names are those that the workload is chosen by: its own, and that of its place on a curve.
func (w *Workload) Names() []string {
	if w.Curve == nil || w.Curve.Name() == w.Name {
		return []string{w.Name}
	}
	return []string{w.Name, w.Curve.Name()}
}

// Count writes a number as names have it: 11, 1k, 10k, 1m.
func Count(n int) string {
	switch {
	case n > 0 && n%1_000_000 == 0:
		return fmt.Sprintf("%dm", n/1_000_000)
	case n > 0 && n%1000 == 0:
		return fmt.Sprintf("%dk", n/1000)
	}
	return strconv.Itoa(n)
}

// System is something that can be measured: a database, or a limit that none can beat.
type System struct {
	// Name is short and unique.
	Name string
	// Limit says that this is not a rival but a yardstick: results of other systems for the same
	// workload are given as a ratio to it.
	Limit bool
	// Peer says that this is a rival: of all peers the best one of each workload is compared.
	Peer bool
	// Version is what was measured, About what it is; both may be empty.
	Version, About string
	// Durability says what the system does in each mode, by the mode's name; may be nil.
	Durability map[string]string
	// Workloads lists what the system can do, in the order of the report.
	Workloads func(Config) []Workload
}

// Workload is one case to measure. Systems that do the same work give it the same name.
type Workload struct {
	// Name is "group/case" or "group/case/parameter", as in the original system.
	Name string
	// About says in one line what an operation is, and on which data.
	About string
	// Mode is the durability mode that the work is really done in; empty where nothing is written
	// and nothing could be.
	Mode string
	// Workers is the number of goroutines that call Op; 0 is one.
	Workers int
	// Heavy keeps the workload out of every selection but its full name and "all".
	Heavy bool
	// Long keeps the workload out of short runs: its setup takes long.
	Long bool
	// Least is the shortest time that each repeat is measured for, however short the others are.
	Least time.Duration
	// Repeats is how often the workload is measured at most, for what takes minutes; 0 is as often
	// as is asked for. Systems that do the same work give it the same number.
	Repeats int
	// Extra keeps the workload out of the selection of everything; its group names it.
	Extra bool
	// Once says that a trial is one single operation, however long it takes, without a warm-up.
	Once bool
	// Units is the number of things that one operation does, for rates per thing, and Unit their
	// plural; 0 and "" are an operation.
	Units int
	Unit  string
	// Fixture is what several workloads of a system use in turn; it is set up before the first.
	Fixture *Fixture
	// Curve is the place of the workload on a curve; may be nil.
	Curve *Curve
	// Synced is the number of bytes of user data that one operation puts on stable storage before
	// it returns, 0 if it does not. It is what a raw log has to write to compare.
	Synced int
	// Setup prepares one trial, untimed. It is called once per repeat, with an empty directory.
	Setup func(ctx context.Context, dir string) (*Trial, error)
}

// Fixture is a database that lives through all repeats of neighbouring workloads, because it is too
// large to be made for each. What they do to it must not change what the others measure.
type Fixture struct {
	// Name is the same for the same fixture of other systems.
	Name string
	// Setup makes the fixture in an empty directory, Close releases it; it is called once, if Setup
	// succeeded. Neither is timed.
	Setup func(ctx context.Context, dir string) error
	Close func() error
}

// fixtureName is empty for a workload without one.
func (w *Workload) fixtureName() string {
	if w.Fixture == nil {
		return ""
	}
	return w.Fixture.Name
}

// Trial is one prepared repeat of a workload. Op is required, the rest optional.
type Trial struct {
	// Op does one operation and checks its result. Worker counts from 0; i counts the operations of
	// that worker from 0, warm-up included. Each worker calls from a goroutine of its own, in
	// sequence. ErrExhausted ends the worker's part of the trial early and soundly.
	Op func(ctx context.Context, worker, i int) error
	// Check looks, after the timed part, whether the data is what the operations must have left;
	// done is the number of operations of each worker, warm-up included.
	Check func(ctx context.Context, done []int) error
	// Metrics are further figures of the trial, asked for after Check.
	Metrics func() []Metric
	// Close releases everything. It is called once, also after errors.
	Close func() error
}

// Metric is a figure beside time, such as the share of attempts that succeeded.
type Metric struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
}

// Recall is the name of the metric that says which share of the true neighbours a search found, in
// percent: it is plotted against the speed.
const Recall = "recall@10"

// ErrExhausted is returned by an Op that has used up what Setup prepared.
var ErrExhausted = errors.New("nothing is left to work on")

// WrongAnswer says that a database gave a result that cannot be right.
type WrongAnswer struct {
	// Text says what was found and what was expected.
	Text string
}

// Error implements error.
func (w *WrongAnswer) Error() string { return "wrong answer: " + w.Text }

// Wrongf makes a WrongAnswer.
func Wrongf(format string, args ...any) error {
	return &WrongAnswer{Text: fmt.Sprintf(format, args...)}
}
