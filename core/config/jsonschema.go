package config

import "encoding/json"

// Schema returns a JSON schema (draft 2020-12) of the TOML form, for editors.
// It says less than Load checks: patterns and what keys say about each other
// are not in it.
func Schema() []byte {
	root := rootSpec()
	s := jsonSchema(root, 0)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "srt settings"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("bug: the schema cannot be printed: " + err.Error())
	}
	return append(out, '\n')
}

// jsonSchema describes one value. In TOML a key is required inside of an element
// only, below the tables of the top level.
func jsonSchema(s *spec, depth int) map[string]any {
	out := map[string]any{}
	switch s.shape {
	case shapeBool:
		out["type"] = "boolean"
	case shapeInt:
		out["type"] = "integer"
		if s.max > 0 {
			out["minimum"], out["maximum"] = s.min, s.max
		}
	case shapeFloat:
		out["type"] = "number"
		out["exclusiveMinimum"] = 0
	case shapeString:
		out["type"] = "string"
		if s.nonEmpty {
			out["minLength"] = 1
		}
	case shapeEnum:
		out["enum"] = s.enum
	case shapeList:
		out["type"], out["items"] = "array", jsonSchema(s.elem, depth+1)
		if s.nonEmpty {
			out["minItems"] = 1
		}
	case shapeMap:
		out["type"], out["additionalProperties"] = "object", jsonSchema(s.elem, depth+1)
	case shapePath:
		out["oneOf"] = []any{
			map[string]any{"type": "string", "minLength": 1},
			map[string]any{
				"type": "object", "required": []string{"path", "literal"}, "additionalProperties": false,
				"properties": map[string]any{
					"path":    map[string]any{"type": "string", "minLength": 1},
					"literal": map[string]any{"const": true},
				},
			},
		}
	case shapeObject:
		props := map[string]any{}
		var required []string
		for _, f := range s.fields {
			if f.only == formJSON {
				continue
			}
			p := jsonSchema(f.spec, depth+1)
			if f.required && depth > 1 {
				required = append(required, Snake(f.name))
			}
			if f.doc != "" {
				p["description"] = f.doc
			}
			props[Snake(f.name)] = p
		}
		out["type"], out["properties"], out["additionalProperties"] = "object", props, false
		if required != nil {
			out["required"] = required
		}
	case shapeFunction, shapePair: // in JSON only
	}
	return out
}
