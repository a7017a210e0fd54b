package transcript_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// Three attempts at one task, and where the ones that failed parted from the one that passed.
func Example() {
	ctx := context.Background()
	db, err := inmem.Open("memory", &inmem.Options{Durability: inmem.None})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	res, err := transcript.ImportFile(ctx, db, "testdata/samples/trials.json", transcript.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d runs, %d messages, %d tool calls\n", res.Runs, res.Messages, res.ToolCalls)
	q := inmem.RunQuery{Tags: []string{"task_id=0"}}
	c, err := transcript.Compare(ctx, db, q, transcript.CompareOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 4 runs, 20 messages, 5 tool calls
	// 3 runs, 1 passed, 2 failed
	// ├─ ██░░░ ended: 1 (0+ 1-)
	// └─ ███░░  67% 2 (1+ 1-)  get_booking {"id":"B1"}
	//    ├─ ██░░░  50% 1 (1+ 0-)  set_seat {"id":"B1","seat":"4A"}
	//    │  └─ ██░░░ ended: 1 (1+ 0-)
	//    └─ ██░░░  50% 1 (0+ 1-)  set_seat {"id":"B1","seat":"4B"}  [1 failed calls]
	//       └─ ██░░░ ended: 1 (0+ 1-)
	//
	// at the first step
	//   1 failed: ended
	//   1 passed: get_booking {"id":"B1"}
	//
	// after step 1, get_booking {"id":"B1"}
	//   1 failed: set_seat {"id":"B1","seat":"4B"}
	//   1 passed: set_seat {"id":"B1","seat":"4A"}
	//
	// steps that tell      passed  failed
	//                       1/1     0/2   set_seat {"id":"B1","seat":"4A"}
	//                       1/1     1/2   get_booking {"id":"B1"}
	//                       0/1     1/2   set_seat {"id":"B1","seat":"4B"}
}

// Trajectories can be read without a database.
func ExampleRead() {
	s := transcript.Source{Name: "chat", Reader: strings.NewReader(`[
		{"role": "user", "content": "2+2?"},
		{"role": "assistant", "content": "4"}]`)}
	for t, err := range transcript.Read(context.Background(), s, transcript.ReadOptions{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, e := range t.Entries {
			fmt.Println(e.Type, e.Payload)
		}
	}
	// Output:
	// message.user {"role":"user","content":"2+2?"}
	// message.assistant {"role":"assistant","content":"4"}
}
