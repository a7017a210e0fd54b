// Package machine says where something was measured.
package machine

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Machine is where something was measured. Text is empty where it cannot be learned.
type Machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	MaxProcs int    `json:"gomaxprocs"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Kernel   string `json:"kernel,omitempty"`
	Go       string `json:"go"`
	// Revision is the commit that the program was built from; go run does not record it.
	Revision string `json:"revision,omitempty"`
	// Filesystem holds the databases. InMemory says that it is not on a disk.
	Filesystem string `json:"filesystem,omitempty"`
	InMemory   bool   `json:"filesystem_in_memory,omitempty"`
	// Load is the average number of running processes of the last minute, at the start. Busy says
	// that it is more than a quarter of the cores.
	Load string `json:"load,omitempty"`
	Busy bool   `json:"busy,omitempty"`
}

// This describes the machine; dir is where the databases will be.
func This(dir string) Machine {
	m := Machine{
		CPU: cpuModel(), Cores: runtime.NumCPU(), MaxProcs: runtime.GOMAXPROCS(0),
		OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: kernel(), Go: runtime.Version(),
		Load: load(),
	}
	if m.CPU == "" {
		m.CPU = "unknown processor"
	}
	m.Filesystem, m.InMemory = filesystem(dir)
	var average float64
	if _, err := fmt.Sscan(m.Load, &average); err == nil {
		m.Busy = average > float64(m.Cores)/4
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				m.Revision = s.Value + m.Revision
			case s.Key == "vcs.modified" && s.Value == "true":
				m.Revision += "+changes"
			}
		}
	}
	return m
}
