package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/report"
)

// options are the flags.
type options struct {
	workloads  string
	json       string
	gobench    string
	html       string
	guard      string
	bars       string
	repeats    int
	time       time.Duration
	dir        string
	quiet      bool
	short      bool
	long       bool
	cpuProfile string
	memProfile string
	memoryMiB  int64
	config     measure.Config
}

var modes = []string{"strict", "batched", "async", "none"}

// Limits that keep a mistyped flag from filling the disk.
const (
	mostValueSize = 1 << 20
	mostLoaded    = 8 << 30
	mostRepeats   = 1000
)

const usage = `inmem-bench measures in-mem: the workloads of the original system by their names.
Every result is checked; a wrong one ends the run with exit code 1.

usage: inmem-bench [flags]

Without flags it runs everything that is not on request, in under two minutes, and ends with a
table and a summary. Figures of a busy machine are low: trust the ratios to the limits, which are
measured in the same run, in turns: an unlocked Go map for gets, and for strict commits a raw log
that is synced after every record.

flags:
`

const examples = `
examples:
  inmem-bench
  inmem-bench -workloads list
  inmem-bench -workloads engine_get,txn_commit/readN_write1
  inmem-bench -workloads txn_commit -mode strict -json out.json
  inmem-bench -workloads engine_key_scaling/get_rotating/1m -time 10s
  inmem-bench -quiet -repeats 10 -gobench new.txt      then: benchstat old.txt new.txt
  inmem-bench -workloads footprint -json out.json      then: inmem-bench -bars out.json
  inmem-bench -workloads engine_put/insert -time 10s -cpuprofile cpu.out
        then: go tool pprof -tagfocus system=inmem cpu.out

exit codes: 0 measured, 1 wrong answer or failure, 2 wrong flags, 130 stopped by Ctrl-C
`

// flagSet declares the flags.
func (o *options) flagSet() *flag.FlagSet {
	fs := flag.NewFlagSet("inmem-bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // messages are written once, by Main
	fs.Usage = func() {}
	fs.StringVar(&o.workloads, "workloads", "", "what to measure: `names` of workloads or of the "+
		"groups they begin with,\nseparated by commas; \"all\" includes those on request; \"list\" "+
		"prints the names;\n\"bars\" is what the table of bars needs and nothing else, "+
		"\"bars/ycsb\" a part of it")
	fs.StringVar(&o.config.Mode, "mode", "batched", "durability `mode`: strict, batched, async or "+
		"none;\ndurability/* is always strict")
	fs.StringVar(&o.json, "json", "", "write everything as JSON to a `file`; - for the standard "+
		"output, the table\nthen goes to the standard error output")
	fs.StringVar(&o.guard, "guard", "", "measure only what a `file` of recorded ratios names, and "+
		"fail if something\nis far slower than recorded, three times in a row")
	fs.StringVar(&o.bars, "bars", "", "measure nothing: print the tables of bars of a `file` that "+
		"-json wrote,\nor of several, separated by commas")
	fs.StringVar(&o.html, "html", "", "write a page with tables and plots to a `file`; it needs "+
		"nothing else")
	fs.StringVar(&o.gobench, "gobench", "", "write Go benchmark lines for benchstat to a `file`, "+
		"or -")
	fs.IntVar(&o.repeats, "repeats", 5, "the `number` of times that each workload is measured;\n"+
		"the repeats are interleaved")
	fs.DurationVar(&o.time, "time", 800*time.Millisecond, "the `duration` that each workload is "+
		"measured for, all repeats together,\nsetup not included")
	fs.BoolVar(&o.short, "short", false, "a look in a minute or two: 3 repeats of 40 ms unless "+
		"-repeats and -time\nsay otherwise, and nothing that takes long to set up")
	fs.BoolVar(&o.long, "long", false, "of the groups that are named also what is on request: 10M "+
		"keys, half a\nminute of puts, more data than memory; takes hours with peers")
	fs.IntVar(&o.config.Keys, "keys", 10_000, "the `number` of keys in the larger databases")
	fs.IntVar(&o.config.ValueSize, "value-size", 0, "the size of plain values in `bytes`; 0 for "+
		"int64 values, as in the original")
	fs.Uint64Var(&o.config.Seed, "seed", measure.DefaultSeed, "the `seed` of all random keys")
	fs.Int64Var(&o.memoryMiB, "memory", 256, "the memory budget of a database in `MiB`")
	fs.StringVar(&o.config.Vectors, "vectors", "", "a `file` of vectors for the group vector to "+
		"measure too: .fvecs, .npy, .jsonl,\nor MNIST's idx, with or without .gz")
	fs.StringVar(&o.dir, "dir", "", "an existing `directory` for the databases, which are removed "+
		"again\n(default: the system's directory for temporary files)")
	fs.BoolVar(&o.quiet, "quiet", false, "show no progress")
	fs.StringVar(&o.cpuProfile, "cpuprofile", "", "write a CPU profile of the whole run to a "+
		"`file`; samples of the\nmeasured parts carry the labels workload and system")
	fs.StringVar(&o.memProfile, "memprofile", "", "write a profile of all allocations to a `file`")
	fs.Lookup("seed").DefValue = fmt.Sprintf("%#x", uint64(measure.DefaultSeed))
	return fs
}

func help(out io.Writer, fs *flag.FlagSet) {
	fmt.Fprint(out, usage)
	fs.SetOutput(out)
	fs.PrintDefaults()
	fmt.Fprint(out, examples)
}

// parse reads the command line and checks every flag. Help that was asked for goes to out; the
// error is flag.ErrHelp then.
func parse(args []string, out io.Writer) (*options, error) {
	o := &options{}
	fs := o.flagSet()
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			help(out, fs)
		}
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("%q is not a flag; workloads are chosen with -workloads", fs.Arg(0))
	}
	o.config.Memory = o.memoryMiB << 20
	if o.short {
		o.shorten(fs)
	}
	return o, o.validate()
}

// shorten sets what was not asked for to what suffices for a look.
func (o *options) shorten(fs *flag.FlagSet) {
	repeats, length := true, true
	fs.Visit(func(f *flag.Flag) {
		repeats = repeats && f.Name != "repeats"
		length = length && f.Name != "time"
	})
	if repeats {
		o.repeats = 3
	}
	if length {
		o.time = time.Duration(o.repeats) * 40 * time.Millisecond
	}
}

func (o *options) validate() error {
	c := &o.config
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(slices.Contains(modes, c.Mode), "-mode is %q, expected one of %s", c.Mode,
		strings.Join(modes, ", "))
	check(o.repeats >= 1 && o.repeats <= mostRepeats, "-repeats is %d, expected 1 to %d",
		o.repeats, mostRepeats)
	check(o.time >= time.Millisecond, "-time is %s, expected at least 1ms", o.time)
	check(c.Keys >= 1 && c.Keys <= measure.MaxKeys, "-keys is %d, expected 1 to %d",
		c.Keys, measure.MaxKeys)
	check(c.ValueSize >= 0 && c.ValueSize <= mostValueSize, "-value-size is %d, expected 0 to %d",
		c.ValueSize, mostValueSize)
	check(int64(c.Keys)*int64(c.ValueSize) <= mostLoaded,
		"-keys %d with -value-size %d are more than %s", c.Keys, c.ValueSize,
		report.Size(mostLoaded))
	check(o.memoryMiB >= 1 && o.memoryMiB <= 1<<20, "-memory is %d, expected 1 to %d MiB",
		o.memoryMiB, 1<<20)
	check(o.json != "-" || o.gobench != "-", "-json and -gobench cannot both be -")
	check(!o.long || !o.short, "-long and -short cannot both be")
	check(o.html != "-", "-html needs a file's name, not -")
	if c.Vectors != "" {
		_, err := os.Stat(c.Vectors)
		check(err == nil, "-vectors: %v", err)
	}
	if o.dir != "" {
		info, err := os.Stat(o.dir)
		check(err == nil, "-dir: %v", err)
		check(err != nil || info.IsDir(), "-dir: %s is not a directory", o.dir)
	}
	return errors.Join(faults...)
}
