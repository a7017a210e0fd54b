package soak

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Sample is how things stood at one moment, and what was done since the one before. What cannot be
// known on a system is 0.
type Sample struct {
	// Seconds is when, after the begin.
	Seconds float64 `json:"seconds"`
	// Commits and Reads are per second.
	Commits float64 `json:"commits_per_second"`
	Reads   float64 `json:"reads_per_second"`
	// CommitP50 to ReadP99 are in microseconds.
	CommitP50 float64 `json:"commit_p50_us"`
	CommitP99 float64 `json:"commit_p99_us"`
	ReadP50   float64 `json:"read_p50_us"`
	ReadP99   float64 `json:"read_p99_us"`
	// Heap is what the last collection found alive, RSS the memory of the process, Disk the files of
	// the database; in bytes.
	Heap float64 `json:"heap_bytes"`
	RSS  float64 `json:"rss_bytes"`
	Disk float64 `json:"disk_bytes"`
	// Goroutines and Descriptors are those of the process, Runs those of the database.
	Goroutines  float64 `json:"goroutines"`
	Descriptors float64 `json:"descriptors"`
	Runs        float64 `json:"runs"`
	// Deleted is how many runs were deleted so far.
	Deleted float64 `json:"runs_deleted"`
}

// meter collects how long operations took, between two samples.
type meter struct {
	mu             sync.Mutex
	commits, reads []time.Duration // guarded by mu
}

func (m *meter) commit(began time.Time) { m.add(&m.commits, time.Since(began)) }
func (m *meter) read(began time.Time)   { m.add(&m.reads, time.Since(began)) }

func (m *meter) add(to *[]time.Duration, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*to = append(*to, took)
}

// take takes out what was collected.
func (m *meter) take() (commits, reads []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	commits, reads = m.commits, m.reads
	m.commits, m.reads = nil, nil
	return commits, reads
}

// quantile is one of durations that are sorted, in microseconds; 0 of none.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(q*float64(len(sorted)-1))].Nanoseconds()) / 1e3
}

// measure takes a sample of what was done in a time.
func (m *meter) measure(dir string, since time.Duration) (Sample, error) {
	commits, reads := m.take()
	slices.Sort(commits)
	slices.Sort(reads)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/sched/goroutines:goroutines"}}
	metrics.Read(live)
	disk, err := sizeOf(dir)
	return Sample{
		Commits: float64(len(commits)) / since.Seconds(), Reads: float64(len(reads)) / since.Seconds(),
		CommitP50: quantile(commits, .5), CommitP99: quantile(commits, .99),
		ReadP50: quantile(reads, .5), ReadP99: quantile(reads, .99),
		Heap: float64(live[0].Value.Uint64()), Goroutines: float64(live[1].Value.Uint64()),
		RSS: resident(), Disk: disk, Descriptors: descriptors(),
	}, err
}

// resident is the memory of this process; 0 where there is no /proc.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize())
}

// descriptors is how many files and sockets this process has open; 0 where there is no /proc.
func descriptors() float64 {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return float64(len(names))
}

// sizeOf is the size of all files below a directory. Those that vanish meanwhile do not count.
func sizeOf(dir string) (size float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case info.Mode().IsRegular():
			size += float64(info.Size())
		}
		return nil
	})
	return size, err
}
