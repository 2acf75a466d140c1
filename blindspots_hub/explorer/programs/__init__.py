"""The page for programs: named endpoints with typed answers, which are MCP tools as well."""
