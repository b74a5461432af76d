package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Scenario plays a script, one command a line, and returns it with what happened after each command, indented. Lines of an
// earlier trace (indented) are dropped, and # begins a comment, so a trace can be played again. Commands:
//
//	world <nodes> <seed>         a new world; comes first
//	start <node>...|all          start nodes, joined to n0
//	run <duration>               let time pass
//	crash|vanish|leave <node>    end a process, a host, a membership
//	restart <node> [disk]        start again, with or without the members known before
//	stall <node> <duration>      freeze a process
//	partition <node>...          put these on a side of their own
//	cut <from> <to>              let nothing pass in this direction
//	heal                         end partitions and cuts
//	loss <share>                 lose packets
//	clock <node> <duration>      step a clock
//	accept <node> <duration>     make a listener slow
//	set <node> <key> <value>     write a key
//	view <node>                  show what a node knows
//	agree                        show whether all agree
func Scenario(script string) (string, error) {
	p := &scenarioPlayer{}
	for i, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			continue
		}
		p.out.WriteString(line + "\n")
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.doCommand(f); err != nil {
			return "", fmt.Errorf("line %d: %s: %w", i+1, line, err)
		}
	}
	return p.out.String(), nil
}

type scenarioPlayer struct {
	w   *World
	out strings.Builder
}

func (p *scenarioPlayer) printLine(line string) { p.out.WriteString("  " + line + "\n") }

// doCommand does one command.
func (p *scenarioPlayer) doCommand(f []string) error {
	if f[0] == "world" {
		return p.worldCommand(f[1:])
	}
	if p.w == nil {
		return fmt.Errorf("no world yet")
	}
	switch {
	case f[0] == "heal":
		p.w.Heal()
	case f[0] == "agree":
		p.printLine(fmt.Sprintf("%8.3f agreed: %v", p.w.Now.Seconds(), p.w.Agreed()))
	case len(f) < 2:
		return fmt.Errorf("unknown command, or one that lacks an argument")
	case f[0] == "run":
		d, err := time.ParseDuration(f[1])
		p.w.Run(d, nil)
		return err
	case f[0] == "loss":
		share, err := strconv.ParseFloat(f[1], 64)
		p.w.Loss = share
		return err
	case f[0] == "start" && f[1] == "all":
		p.w.StartAll()
	case f[0] == "start", f[0] == "partition":
		return p.groupCommand(f[0], f[1:])
	default:
		n, err := p.findNode(f[1])
		if err != nil {
			return err
		}
		return p.nodeCommand(f[0], n, append(f[2:], "", ""))
	}
	return nil
}

func (p *scenarioPlayer) worldCommand(f []string) error {
	if len(f) != 2 {
		return fmt.Errorf("want the number of nodes and a seed")
	}
	n, err := strconv.Atoi(f[0])
	if err != nil {
		return err
	}
	seed, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return err
	}
	s := DefaultSettings(n, seed)
	s.Trace = p.printLine
	p.w = New(s)
	p.w.OnOutput = func(n *Node, o core.Output) {
		switch o := o.(type) {
		case core.Judged:
			p.w.trace("%s: %s up %v", n.ID, o.ID, o.Up)
		case core.Dial:
			p.w.trace("%s dials %s", n.ID, o.Addr)
		case core.Paused:
			p.w.trace("%s was away for %v", n.ID, o.For.Round(time.Millisecond))
		}
	}
	return nil
}

func (p *scenarioPlayer) findNode(name string) (*Node, error) {
	i := slices.IndexFunc(p.w.Nodes, func(n *Node) bool { return n.ID == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no node %s", name)
	}
	return p.w.Nodes[i], nil
}

func (p *scenarioPlayer) groupCommand(what string, names []string) error {
	var side []int
	for _, name := range names {
		n, err := p.findNode(name)
		if err != nil {
			return err
		}
		side = append(side, n.Index)
		if what == "start" {
			n.Start(p.w.Nodes[0].Addr)
		}
	}
	if what == "partition" {
		p.w.Partition(1, side...)
	}
	return nil
}

// nodeCommand does a command to one node.
func (p *scenarioPlayer) nodeCommand(what string, n *Node, args []string) error {
	d, err := time.ParseDuration(args[0])
	switch what {
	case "crash":
		n.Crash()
	case "vanish":
		n.Vanish()
	case "leave":
		n.Leave()
	case "restart":
		n.Restart(args[0] == "disk", p.w.Nodes[0].Addr)
	case "set":
		n.Do(core.Set{Key: args[0], Value: args[1]})
	case "view":
		p.printView(n)
	case "cut":
		m, err := p.findNode(args[0])
		if err != nil {
			return err
		}
		p.w.Cut(n.Index, m.Index)
	case "stall":
		n.Stall(d)
		return err
	case "clock":
		n.StepClock(d)
		return err
	case "accept":
		n.accept = d
		return err
	default:
		return fmt.Errorf("unknown command")
	}
	return nil
}

func (p *scenarioPlayer) printView(n *Node) {
	for _, m := range members(n) {
		line := fmt.Sprintf("%s sees %s %v, %d links, version %d", n.ID, m.Name, m.Status, m.Links, m.Version)
		if m.Keys.Len() > 0 {
			line += fmt.Sprint(", ", maps.Collect(m.Keys.From("")))
		}
		p.printLine(line)
	}
	if reachesNone(n) {
		p.printLine(n.ID + " is isolated")
	}
}
