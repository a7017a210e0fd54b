package machine

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func kernel() string { return firstWord("/proc/sys/kernel/osrelease") }

func load() string { return firstWord("/proc/loadavg") }

func firstWord(path string) string {
	text, err := os.ReadFile(path)
	if words := strings.Fields(string(text)); err == nil && len(words) > 0 {
		return words[0]
	}
	return ""
}

// filesystems are the magic numbers of statfs(2).
var filesystems = map[uint32]string{
	0xEF53:     "ext4",
	0x58465342: "xfs",
	0x9123683E: "btrfs",
	0x2FC12FC1: "zfs",
	0xF2F52010: "f2fs",
	0x794C7630: "overlayfs",
	0x6969:     "nfs",
	0x01021994: "tmpfs",
	0x858458F6: "ramfs",
}

func filesystem(dir string) (name string, inMemory bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return "", false
	}
	name, ok := filesystems[uint32(st.Type)]
	if !ok {
		name = fmt.Sprintf("file system %#x", uint32(st.Type))
	}
	return name, name == "tmpfs" || name == "ramfs"
}
