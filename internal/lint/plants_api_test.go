package lint

var docPlants = plant{
	bad: []map[string]string{
		one("pkg/txn/a.go", "package txn\n"),
		one("pkg/txn/a.go", "// Package txn.\npackage txn\n\nfunc F() {}\n"),
		one("pkg/txn/a.go", "// Package txn.\npackage txn\n\ntype T int\n"),
		one("pkg/txn/a.go", "// Package txn.\npackage txn\n\nconst C = 1\n"),
		one("pkg/txn/a.go", "// Package txn.\npackage txn\n\nvar (\n\tV int\n)\n"),
		one("pkg/txn/a.go", "// Package txn.\npackage txn\n\n// T is.\ntype T int\n\nfunc (*T) M() {}\n"),
		one("pkg/txn/a.go", "// Package txn.\npackage txn\n\n// lint:allow calls: x\nfunc F() {}\n"),
		one("pkg/txn/a.go",
			"// Package txn.\npackage txn\n\n// T is.\ntype T struct {\n\tCount int\n}\n"),
		one("pkg/txn/a.go",
			"// Package txn.\npackage txn\n\n// T is.\ntype T interface {\n\tMethod()\n}\n"),
	},
	good: []map[string]string{
		one("pkg/txn/a.go", `// Package txn is.
package txn

// F does.
func F() {}

// Codes.
const (
	A = 1
	B = 2
)

var (
	// V and W count.
	V int
	W int
	v int
)

// T is. A field holds.
type T struct {
	Field  int
	Second int // seconds
	// Third and Fourth hold.
	Third  int
	Fourth int
	hidden int
}

// M does.
func (*T) M() {}

func (*T) String() string { return "" }

type small int

func (small) M() {}
func (*T) hide() {}
`),
		{"pkg/txn/a.go": "package txn\n", "pkg/txn/doc.go": "// Package txn is.\npackage txn\n"},
		one("cmd/inmem/main.go", "// Command inmem is.\npackage main\n\nfunc F() {}\n"),
		one("pkg/txn/a_test.go", "package txn\n\nfunc TestF() {}\n"),
	},
}

var mutexPlants = plant{
	bad: []map[string]string{
		one("pkg/txn/a.go", "package txn\n\ntype t struct {\n\tmu sync.Mutex\n}\n"),
		one("pkg/txn/a.go", `package txn

// t is.
type t struct {
	mu sync.RWMutex
	x  int // x
}
`),
		one("pkg/txn/a.go", "package txn\n\ntype t struct {\n\tsync.Mutex\n\tx int\n}\n"),
		one("pkg/txn/a.go",
			"package txn\n\ntype t struct {\n\tmu struct {\n\t\tsync.Mutex\n\t}\n}\n"),
		one("pkg/txn/a.go", "package txn\n\nvar mu sync.Mutex\n"),
	},
	good: []map[string]string{
		one("pkg/txn/a.go", "package txn\n\ntype t struct {\n\tmu sync.Mutex // guards x\n}\n"),
		one("pkg/txn/a.go", `package txn

type t struct {
	mu struct {
		sync.Mutex
		x int
	}
}
`),
		one("pkg/txn/a.go", `package txn

type t struct {
	mu sync.Mutex
	x  int // guarded by mu
}
`),
		one("pkg/txn/a.go", "package txn\n\n// mu guards x.\nvar mu sync.Mutex\n"),
		one("pkg/txn/a_test.go", "package txn\n\nvar mu sync.Mutex\n"),
	},
}

var clockPlants = plant{
	bad: []map[string]string{
		one("pkg/txn/a.go", "package txn\n\nimport \"time\"\n\nvar t = time.Now()\n"),
		one("pkg/txn/a.go", "package txn\n\nimport \"time\"\n\nvar now = time.Now\n"),
		one("pkg/primitives/kv/a.go", "package kv\n\nimport tm \"time\"\n\nvar t = tm.Now()\n"),
		one("internal/memtable/a.go", "package memtable\n\nimport \"time\"\n\nvar t = time.Since(x)\n"),
		one("internal/embedded/a.go", "package embedded\n\nimport \"time\"\n\nvar t = time.Until(x)\n"),
	},
	good: []map[string]string{
		one("pkg/db/a.go", "package db\n\nimport \"time\"\n\nvar t = time.Now()\n"),
		one("pkg/txn/a_test.go", "package txn\n\nimport \"time\"\n\nvar t = time.Now()\n"),
		one(clockFile, "package embedded\n\nimport \"time\"\n\nvar t = time.Now()\n"),
		one("pkg/txn/a.go", "package txn\n\nfunc f(time clock) { time.Now() }\n"),
	},
}

var callPlants = plant{
	bad: []map[string]string{
		one("pkg/db/a.go", "package db\n\nimport \"log\"\n\nfunc f() { log.Println(1) }\n"),
		one("pkg/db/a.go", "package db\n\nimport \"fmt\"\n\nfunc f() { fmt.Println(1) }\n"),
		one("pkg/db/a.go", "package db\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }\n"),
		one("pkg/db/a.go", "package db\n\nimport \"os\"\n\nvar w = os.Stderr\n"),
		one("pkg/db/a.go", "package db\n\nimport \"context\"\n\nvar c = context.TODO()\n"),
	},
	good: []map[string]string{
		one("pkg/db/a.go", "package db\n\nimport \"log/slog\"\n\nvar l = slog.New(nil)\n"),
		one("pkg/db/a.go", "package db\n\nimport \"fmt\"\n\nvar s = fmt.Sprint(1)\n"),
		one("pkg/db/a_test.go", "package db\n\nimport \"os\"\n\nvar w = os.Stderr\n"),
		one("cmd/inmem/main.go", "package main\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }\n"),
	},
}

var panicPlants = plant{
	bad: []map[string]string{
		one("pkg/db/a.go", "package db\n\nfunc f() { panic(1) }\n"),
		one("pkg/db/a.go", "package db\n\nfunc f() { println(1) }\n"),
	},
	good: []map[string]string{
		one("pkg/db/a.go", "package db\n\nfunc panic(int) {}\n\nfunc f() { panic(1) }\n"),
		one("pkg/db/a_test.go", "package db\n\nfunc f() { panic(1) }\n"),
		one("internal/backend/backendtest/a.go", "package backendtest\n\nfunc f() { panic(1) }\n"),
		one("internal/invariants/a.go", "package invariants\n\nfunc f() { panic(1) }\n"),
		one("cmd/inmem/main.go", "package main\n\nfunc f() { panic(1) }\n"),
	},
}

var boolPlants = plant{
	bad: []map[string]string{
		one("pkg/db/a.go", "package db\n\nfunc Begin(write bool) {}\n"),
		one("pkg/db/a.go", "package db\n\nfunc Begin(n int, a, b bool) {}\n"),
		one("pkg/db/a.go", "package db\n\nfunc Begin(all ...bool) {}\n"),
		one("pkg/db/a.go", "package db\n\ntype T int\n\nfunc (*T) Begin(write bool) {}\n"),
		one("pkg/db/a.go", "package db\n\ntype T[K any] int\n\nfunc (*T[K]) Begin(write bool) {}\n"),
		one("pkg/db/a.go", "package db\n\ntype T interface {\n\tBegin(write bool)\n}\n"),
	},
	good: []map[string]string{
		one("pkg/db/a.go", "package db\n\nfunc Ok(n int) bool { return true }\n"),
		one("pkg/db/a.go", "package db\n\nfunc begin(write bool) {}\n"),
		one("pkg/db/a.go", "package db\n\ntype t int\n\nfunc (t) Begin(write bool) {}\n"),
		one("pkg/codec/a.go", "package codec\n\nfunc AppendBool(dst []byte, b bool) {}\n"),
		one("internal/memtable/a.go", "package memtable\n\nfunc Begin(write bool) {}\n"),
	},
}

var contextPlants = plant{
	bad: []map[string]string{
		one("pkg/db/a.go", "package db\n\nfunc Get(key string, ctx context.Context) {}\n"),
		one("pkg/db/a.go",
			"package db\n\ntype T interface {\n\tGet(key string, ctx context.Context)\n}\n"),
	},
	good: []map[string]string{
		one("pkg/db/a.go", "package db\n\nfunc Get(ctx context.Context, key string) {}\n"),
	},
}

var optionPlants = plant{
	bad: []map[string]string{
		one("pkg/db/a.go", "package db\n\ntype Option func(*Options)\n"),
		one("pkg/db/a.go", "package db\n\ntype RunOption = func(*Options)\n"),
	},
	good: []map[string]string{
		one("pkg/db/a.go", "package db\n\ntype Options struct{}\n\ntype Option int\n"),
	},
}

var errorPlants = plant{
	bad: []map[string]string{
		one("pkg/db/a.go", "package db\n\nvar e = errors.New(\"Not found\")\n"),
		one("pkg/db/a.go", "package db\n\nvar e = fmt.Errorf(\"Get %s: %w\", k, err)\n"),
		one("pkg/db/a.go", "package db\n\nvar e = errors.New(\"not found.\")\n"),
		one("pkg/db/a.go", "package db\n\nvar e = errors.New(\"not found\\n\")\n"),
		one("pkg/db/a.go", "package db\n\nvar e = errors.New(\"\")\n"),
	},
	good: []map[string]string{
		one("pkg/db/a.go", "package db\n\nvar e = errors.New(\"not found\")\n"),
		one("pkg/db/a.go", "package db\n\nvar e = errors.New(\"CBOR is broken\")\n"),
		one("pkg/db/a.go", "package db\n\nvar e = fmt.Errorf(\"%w: key\", e)\n"),
	},
}

var leftoverPlants = plant{
	bad: []map[string]string{
		one("pkg/db/a.go", "package db\n\n// TODO: later\n"),
		one("pkg/db/a.go", "package db\n\n/*\nFIXME(me): later\n*/\n"),
		one("pkg/db/a.go", "package db // XXX\n"),
		one("pkg/db/a_test.go", "package db\n\n// TODO(me)\n"),
	},
	good: []map[string]string{
		one("pkg/db/a.go", "package db\n\n// TODO(me): when Go 2 is out\n"),
		one("pkg/db/a.go", "package db\n\nvar s = \"TODO\"\n"),
	},
}
