package templates

import (
	"cmp"
	"fmt"
	"html/template"
	"reflect"
	"regexp"
	"strings"
	"text/template/parse"

	"github.com/claimflow/claimflow/claim"
)

// Bounds of a template's structure.
const (
	// maxRanges is the maximum nesting depth of range.
	maxRanges = 2
	// maxDepth is the maximum combined nesting depth of if, with and range.
	maxDepth = 12
	// maxNodes bounds how many parts of the template run in the worst case, when
	// every list has its maximum length.
	maxNodes = 300_000
)

// inspector checks a parsed template before it runs. It knows the type of every
// expression, so it finds an unknown key, a wrong argument or a loop over anything
// but a list of the view even in branches that no sample reaches.
type inspector struct {
	field  string
	source string
	html   bool
	vars   []variable
	ranges int
	depth  int
	// times is the maximum number of runs of the current part, and nodes the maximum
	// total of all parts. Both stop counting past the bound.
	times       int
	nodes       int
	fieldErrors []claim.FieldError
	// keys are the fields that the template names.
	keys map[string]bool
}

type variable struct {
	name string
	typ  reflect.Type
}

// The types of expressions besides those of the view.
var (
	textType   = reflect.TypeFor[string]()
	htmlType   = reflect.TypeFor[template.HTML]()
	numberType = reflect.TypeFor[int]()
	boolType   = reflect.TypeFor[bool]()
	// mixedType is the type of an expression that may have one of several types.
	mixedType = reflect.TypeFor[error]()
	// unknownType is the type of an expression that was already rejected.
	unknownType = reflect.TypeFor[any]()
)

// inspect parses the source and returns its errors and the fields that it names
// (keys). root is the type of the template's data.
func inspect(field, source, format string, root reflect.Type) (*parse.Tree, map[string]bool, []claim.FieldError) {
	in := &inspector{field: field, source: source, html: format == FormatHTML, times: 1, keys: map[string]bool{}}
	trees := map[string]*parse.Tree{}
	tree := parse.New(field)
	tree.Mode = parse.SkipFuncCheck // the inspector gives better messages
	if _, err := tree.Parse(source, "", "", trees); err != nil {
		return nil, nil, []claim.FieldError{syntaxError(field, source, err)}
	}
	for name, other := range trees {
		if name != field {
			in.addError(other.Root.Pos, "nested templates are not allowed, because they could call themselves")
		}
	}
	in.vars = []variable{{"$", root}}
	in.list(tree.Root, root)
	if in.nodes > maxNodes {
		in.addError(0, "with lists of maximum length, more than %d parts of the template would run; reduce the inner loop", maxNodes)
	}
	return tree, in.keys, in.fieldErrors
}

func (in *inspector) addError(at parse.Pos, problem string, args ...any) {
	in.fieldErrors = append(in.fieldErrors, claim.FieldError{Field: in.field, Problem: position(in.source, int(at)) + ": " + fmt.Sprintf(problem, args...)})
}

// count counts one part of the template as run.
func (in *inspector) count() { in.nodes = min(in.nodes+in.times, maxNodes+1) }

// list inspects nodes in order. Variables that they declare go out of scope at its
// end.
func (in *inspector) list(l *parse.ListNode, dot reflect.Type) {
	if l == nil {
		return
	}
	scope := len(in.vars)
	defer func() { in.vars = in.vars[:scope] }()
	for _, n := range l.Nodes {
		in.count()
		in.node(n, dot)
	}
}

func (in *inspector) node(n parse.Node, dot reflect.Type) {
	switch n := n.(type) {
	case *parse.ActionNode:
		if typ := in.pipe(n.Pipe, dot); len(n.Pipe.Decl) == 0 && !printable(typ) {
			in.addError(n.Pos, "%s is %s and cannot be printed; use one of its keys", n.Pipe, describe(typ))
		}
	case *parse.IfNode:
		in.branch(&n.BranchNode, dot)
	case *parse.WithNode:
		in.branch(&n.BranchNode, dot)
	case *parse.RangeNode:
		in.branch(&n.BranchNode, dot)
	case *parse.TemplateNode:
		in.addError(n.Pos, "nested templates are not allowed, because they could call themselves")
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
	default:
		in.addError(n.Position(), "%s is not allowed here", n)
	}
}

func (in *inspector) branch(n *parse.BranchNode, dot reflect.Type) {
	scope, times := len(in.vars), in.times
	defer func() { in.vars = in.vars[:scope] }()
	if in.depth++; in.depth == maxDepth+1 {
		in.addError(n.Pos, "if, with and range must not be nested more than %d deep", maxDepth)
	}
	defer func() { in.depth-- }()

	switch n.NodeType {
	case parse.NodeRange:
		element, most := in.ranged(n, dot)
		in.times = min(in.times*most, maxNodes+1)
		in.ranges++
		if in.ranges == maxRanges+1 {
			in.addError(n.Pos, "range must not be nested more than %d deep", maxRanges)
		}
		in.list(n.List, element)
		in.ranges--
		in.times = times
	case parse.NodeWith:
		in.list(n.List, in.pipe(n.Pipe, dot))
	default:
		in.pipe(n.Pipe, dot)
		in.list(n.List, dot)
	}
	in.list(n.ElseList, dot)
}

// ranged inspects the operand of a range and returns the type of its elements and
// their maximum number.
func (in *inspector) ranged(n *parse.BranchNode, dot reflect.Type) (reflect.Type, int) {
	typ := unknownType
	if len(n.Pipe.Cmds) == 1 && len(n.Pipe.Cmds[0].Args) == 1 {
		switch operand := n.Pipe.Cmds[0].Args[0].(type) {
		case *parse.FieldNode, *parse.VariableNode, *parse.DotNode:
			typ = in.value(operand, dot)
		}
	}
	element := unknownType
	most, ok := listBounds[typ]
	switch {
	case !ok:
		in.addError(n.Pos, "range accepts only lists of the claim, such as .Items")
		most = 1
	case n.Pipe.IsAssign:
		in.addError(n.Pos, "range must declare its variables with :=")
	default:
		element = typ.Elem()
	}
	for i, v := range n.Pipe.Decl {
		of := element
		if i == 0 && len(n.Pipe.Decl) == 2 {
			of = numberType
		}
		in.vars = append(in.vars, variable{v.Ident[0], of})
	}
	return element, most
}

// pipe inspects a pipeline and returns the type of its value.
func (in *inspector) pipe(p *parse.PipeNode, dot reflect.Type) reflect.Type {
	var typ reflect.Type
	for _, c := range p.Cmds {
		typ = in.command(c, dot, typ)
	}
	for _, v := range p.Decl {
		if !p.IsAssign {
			in.vars = append(in.vars, variable{v.Ident[0], typ})
			continue
		}
		if had := in.lookup(v); had != unknownType && typ != unknownType && had != typ {
			in.addError(p.Pos, "%s is %s and cannot become %s", v.Ident[0], describe(had), describe(typ))
		}
	}
	return typ
}

// command inspects one command of a pipeline. piped is the result type of the
// previous command, or nil for the first.
func (in *inspector) command(c *parse.CommandNode, dot, piped reflect.Type) reflect.Type {
	if name, ok := c.Args[0].(*parse.IdentifierNode); ok {
		return in.call(name, c.Args[1:], dot, piped)
	}
	if len(c.Args) > 1 || piped != nil {
		in.addError(c.Pos, "%s is not a function and takes no arguments", c.Args[0])
		return unknownType
	}
	return in.value(c.Args[0], dot)
}

func (in *inspector) call(name *parse.IdentifierNode, args []parse.Node, dot, piped reflect.Type) reflect.Type {
	types := make([]reflect.Type, 0, len(args)+1)
	for _, arg := range args {
		types = append(types, in.value(arg, dot))
	}
	if piped != nil {
		types = append(types, piped)
	}
	f, ok := functionsByName()[name.Ident]
	if !ok {
		why := cmp.Or(whyRefused(name.Ident), "it does not exist")
		in.addError(name.Pos, "the function %q is not available: %s", name.Ident, why)
		return unknownType
	}
	for _, typ := range types {
		if !f.lists && !printable(typ) {
			in.addError(name.Pos, "%s does not accept %s", f.name, describe(typ))
		}
	}
	switch f.name {
	case "not":
		return in.fits(name, f.name, boolType, reflect.TypeFor[func(any) bool](), types)
	case "and", "or":
		if len(types) == 0 {
			in.addError(name.Pos, "%s requires an argument", f.name)
			return unknownType
		}
		for _, typ := range types[1:] {
			if typ != types[0] {
				return mixedType
			}
		}
		return types[0]
	case "printf":
		in.printf(name.Pos, args)
	}
	signature := reflect.TypeOf(f.plain)
	if f.bind != nil {
		signature = reflect.TypeOf(f.bind(&work{}))
	}
	result := signature.Out(0)
	if f.name == "lines" && in.html {
		result = htmlType
	}
	return in.fits(name, f.name, result, signature, types)
}

// fits checks the number and types of a call's arguments.
func (in *inspector) fits(at *parse.IdentifierNode, name string, result, signature reflect.Type, types []reflect.Type) reflect.Type {
	fixed := signature.NumIn()
	if signature.IsVariadic() {
		fixed--
	}
	if len(types) < fixed || len(types) > fixed && !signature.IsVariadic() {
		in.addError(at.Pos, "%s takes %d arguments, not %d", name, fixed, len(types))
		return result
	}
	for i, typ := range types {
		want := signature.In(min(i, signature.NumIn()-1))
		if i >= fixed {
			want = signature.In(fixed).Elem()
		}
		if want.Kind() != reflect.Interface && typ != want && typ != unknownType {
			in.addError(at.Pos, "argument %d of %s must be %s, not %s", i+1, name, describe(want), describe(typ))
		}
	}
	return result
}

// formatPattern matches formats that cannot pad without bound, take a width from the
// data or write an argument twice.
var formatPattern = regexp.MustCompile(`^(?:[^%]|%%|%[-+ 0]*\d{0,2}(?:\.\d{0,2})?[sdqvtx])*$`)

func (in *inspector) printf(at parse.Pos, args []parse.Node) {
	if len(args) == 0 {
		in.addError(at, "printf requires a string literal as its first argument")
		return
	}
	format, ok := args[0].(*parse.StringNode)
	if !ok {
		in.addError(at, "printf requires a string literal as its first argument")
		return
	}
	if !formatPattern.MatchString(format.Text) {
		in.addError(at, "printf supports only %%s %%d %%q %%v %%t %%x and %%%%, with a width of at most 99")
	}
}

// value inspects one operand and returns its type.
func (in *inspector) value(n parse.Node, dot reflect.Type) reflect.Type {
	in.count()
	switch n := n.(type) {
	case *parse.DotNode:
		return dot
	case *parse.FieldNode:
		return in.keysOf(n.Pos, dot, "", n.Ident)
	case *parse.VariableNode:
		return in.keysOf(n.Pos, in.lookup(n), n.Ident[0], n.Ident[1:])
	case *parse.ChainNode:
		return in.keysOf(n.Pos, in.value(n.Node, dot), "(…)", n.Field)
	case *parse.PipeNode:
		if len(n.Decl) > 0 {
			in.addError(n.Pos, "a variable cannot be declared here")
		}
		return in.pipe(n, dot)
	case *parse.IdentifierNode:
		return in.call(n, nil, dot, nil)
	case *parse.StringNode:
		return textType
	case *parse.BoolNode:
		return boolType
	case *parse.NumberNode:
		if !n.IsInt || int64(int32(n.Int64)) != n.Int64 {
			in.addError(n.Pos, "%s is not a 32-bit integer", n.Text)
		}
		return numberType
	default:
		in.addError(n.Position(), "%s is not allowed here", n)
		return unknownType
	}
}

// lookup returns the type of a variable. The parser ensures that it is declared.
func (in *inspector) lookup(v *parse.VariableNode) reflect.Type {
	for i := len(in.vars) - 1; i >= 0; i-- {
		if in.vars[i].name == v.Ident[0] {
			return in.vars[i].typ
		}
	}
	in.addError(v.Pos, "the variable %s is not declared here", v.Ident[0])
	return unknownType
}

// keysOf resolves a path of keys from a type and returns the resulting type.
func (in *inspector) keysOf(at parse.Pos, typ reflect.Type, path string, keys []string) reflect.Type {
	for _, key := range keys {
		if typ == unknownType {
			return unknownType
		}
		in.keys[key] = true
		if typ.Kind() != reflect.Struct {
			in.addError(at, "%s is %s and has no key %s", spelled(path), describe(typ), key)
			return unknownType
		}
		field, ok := typ.FieldByName(key)
		if !ok || field.Anonymous {
			problem := "unknown key " + path + "." + key + "; " + owner(path) + " " + strings.Join(keysIn(typ), ", ")
			if _, internal := reflect.TypeFor[View]().FieldByName(key); internal && typ == reflect.TypeFor[Message]() {
				problem = path + "." + key + " is available only in the internal note, because the customer must not see it"
			}
			in.addError(at, "%s", problem)
			return unknownType
		}
		typ, path = field.Type, path+"."+key
	}
	return typ
}

func spelled(path string) string {
	if path == "" {
		return "."
	}
	return path
}

// owner returns the beginning of the sentence that lists the keys of a path.
func owner(path string) string {
	if path == "" {
		return "the available keys are"
	}
	return path + " has"
}

// keysIn returns the keys of a group, including those of embedded groups.
func keysIn(typ reflect.Type) []string {
	var names []string
	for i := range typ.NumField() {
		if f := typ.Field(i); f.Anonymous {
			names = append(names, keysIn(f.Type)...)
		} else {
			names = append(names, f.Name)
		}
	}
	return names
}

func printable(typ reflect.Type) bool {
	return typ.Kind() != reflect.Struct && typ.Kind() != reflect.Slice
}

func describe(typ reflect.Type) string {
	switch {
	case typ == htmlType:
		return "rendered HTML"
	case typ.Kind() == reflect.String:
		return "text"
	case typ.Kind() == reflect.Int:
		return "a number"
	case typ.Kind() == reflect.Bool:
		return "a Boolean"
	case typ.Kind() == reflect.Slice:
		return "a list"
	case typ.Kind() == reflect.Struct:
		return "a group of keys"
	default:
		return "a value of unknown type"
	}
}
