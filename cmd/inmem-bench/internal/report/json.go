package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/bars"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/machine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// Schema is the number of the JSON form. It grows when a field changes its meaning or goes away;
// further fields may come without.
const Schema = 1

// document is the JSON form of a report. All durations are in nanoseconds unless the name says
// otherwise; quantiles are over all repeats.
type document struct {
	Schema    int             `json:"schema"`
	Command   []string        `json:"command"`
	Started   time.Time       `json:"started"`
	Seconds   float64         `json:"seconds"`
	Ended     string          `json:"ended_early,omitempty"` // by what; the results are not all then
	Machine   machine.Machine `json:"machine"`
	Mode      string          `json:"mode"`
	Seed      uint64          `json:"seed"`
	Keys      int             `json:"keys"`
	ValueSize int             `json:"value_size"` // 0 stands for int64 values
	Memory    int64           `json:"memory_budget"`
	Repeats   int             `json:"repeats"`
	LengthNS  int64           `json:"repeat_ns"`
	Systems   []systemJSON    `json:"systems"`
	Results   []resultJSON    `json:"results"`
	Bars      []barJSON       `json:"bars"` // of the table, for what was measured
	Footprint []barJSON       `json:"footprint,omitempty"`
	Curves    []curveJSON     `json:"curves,omitempty"`
}

type systemJSON struct {
	Name       string            `json:"name"`
	Version    string            `json:"version,omitempty"`
	About      string            `json:"about,omitempty"`
	Kind       string            `json:"kind"` // ours, peer or limit
	Durability map[string]string `json:"durability,omitempty"`
}

// curveJSON is what an operation of a system costs against the number of something.
type curveJSON struct {
	Over   string      `json:"over"`
	Of     string      `json:"of"`
	System string      `json:"system"`
	Points []pointJSON `json:"points"`
	// The last point by the first; 0 if unknown.
	GrowthCPU float64 `json:"growth_cpu"`
	GrowthP50 float64 `json:"growth_p50"`
}

// pointJSON is one point: per operation, or per entry of what runs over a range.
type pointJSON struct {
	At     int     `json:"at"`
	CPU    float64 `json:"cpu_ns"`
	P50    float64 `json:"p50_ns"`
	PerSec float64 `json:"per_sec"`
}

func (r *Report) curvesJSON() []curveJSON {
	var list []curveJSON
	for _, g := range r.growths() {
		c := curveJSON{Over: g.over, Of: g.of, System: g.system.Name,
			GrowthCPU: g.factor(cpuOf), GrowthP50: g.factor(p50Of)}
		for _, p := range g.points {
			c.Points = append(c.Points, pointJSON{p.at, p.cpu, p.p50, p.perSecond})
		}
		list = append(list, c)
	}
	return list
}

func (r *Report) systemsJSON() []systemJSON {
	list := []systemJSON{}
	for _, s := range r.systems() {
		kind := "ours"
		switch {
		case s.Peer:
			kind = "peer"
		case s.Limit:
			kind = "limit"
		}
		list = append(list, systemJSON{s.Name, s.Version, s.About, kind, s.Durability})
	}
	return list
}

type resultJSON struct {
	Workload   string           `json:"workload"`
	System     string           `json:"system"`
	Limit      bool             `json:"limit"`
	About      string           `json:"about"`
	Mode       string           `json:"mode,omitempty"`
	Goroutines int              `json:"goroutines"`
	Ops        int              `json:"ops"`
	Exhausted  bool             `json:"exhausted,omitempty"` // a repeat ran out of prepared keys
	OpsPerSec  measure.Stat     `json:"ops_per_sec"`
	Latency    latencyJSON      `json:"latency_ns"`
	Allocs     measure.Stat     `json:"allocs_per_op"`
	Bytes      measure.Stat     `json:"bytes_per_op"`
	CPU        measure.Stat     `json:"cpu_ns_per_op"`
	Unit       string           `json:"unit,omitempty"` // what is counted, if not operations
	Ratio      *ratioJSON       `json:"ratio,omitempty"`
	Metrics    []measure.Metric `json:"metrics,omitempty"`
	Samples    []sampleJSON     `json:"samples"`
}

type latencyJSON struct {
	Timed uint64 `json:"timed"` // how many operations were timed one by one
	P50   int64  `json:"p50"`
	P90   int64  `json:"p90"`
	P99   int64  `json:"p99"`
	P999  int64  `json:"p99_9"`
	Max   int64  `json:"max"`
}

type ratioJSON struct {
	To string `json:"to"`
	measure.Stat
}

type sampleJSON struct {
	Ops     int         `json:"ops"`
	NS      int64       `json:"ns"`
	Latency latencyJSON `json:"latency_ns"`
}

func latency(h *measure.Histogram) latencyJSON {
	q := func(q float64) int64 { return int64(h.Quantile(q)) }
	return latencyJSON{h.Count(), q(.5), q(.9), q(.99), q(.999), int64(h.Max())}
}

// JSON writes the whole report as one indented document.
func (r *Report) JSON(w io.Writer) error {
	doc := document{
		Schema: Schema, Command: r.Command, Started: r.Started.UTC(), Seconds: r.Elapsed.Seconds(),
		Ended:   r.Ended,
		Machine: r.Machine, Mode: r.Config.Mode, Seed: r.Config.Seed, Keys: r.Config.Keys,
		ValueSize: r.Config.ValueSize, Memory: r.Config.Memory, Repeats: r.Repeats,
		LengthNS: int64(r.Length), Systems: r.systemsJSON(), Results: []resultJSON{},
		Bars: r.barsJSON(bars.Table), Footprint: r.barsJSON(bars.Footprint), Curves: r.curvesJSON(),
	}
	for i := range r.Results {
		res := &r.Results[i]
		n, _ := res.Ops()
		j := resultJSON{
			Workload: res.Name, System: res.System.Name, Limit: res.System.Limit, About: res.About,
			Mode: res.Mode, Goroutines: max(res.Workers, 1), Ops: n, Exhausted: res.Exhausted(),
			OpsPerSec: res.Rate(), Latency: latency(res.Latency()), Allocs: res.Allocs(),
			Bytes: res.AllocBytes(), CPU: res.CPU(), Unit: res.Unit, Metrics: res.Metrics(),
		}
		if ratio, limit, ok := res.Ratio(r.Results); ok {
			j.Ratio = &ratioJSON{limit, ratio}
		}
		for _, s := range res.Samples {
			j.Samples = append(j.Samples, sampleJSON{s.Ops, int64(s.Elapsed), latency(&s.Latency)})
		}
		doc.Results = append(doc.Results, j)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}
