"""A run that holds source content and evidence, for the faults of redactions."""

CONTENT = b"qzxv"
"""In each record of the source."""
EVIDENCE = b"wxkj"
"""In each finding."""
COMPONENTS = """
def rows():
    for n in range(1200):
        yield {"number": n, "text": "qzxv " * 20}

def one():
    return {"text": "qzxv"}

def found(inputs):
    for row in inputs[0]["records"]:
        evidence = f"wxkj-{row['number']}"
        place = {"row": row["number"], "evidence": evidence}
        yield {"id": str(row["number"]), "evidence": evidence, "locations": [place]}
    return {"summary": {"findings": len(inputs[0]["records"])}}

def count(inputs):
    return {"count": len(inputs[0]["records"])}
"""
FOUND = """
artifacts:
  rows: {source: {type: python, properties: {call: "hidden.py:rows"}}}
  one: {source: {type: python, properties: {call: "hidden.py:one"}}}
  findings:
    inputs: rows
    process: {type: python, properties: {call: "hidden.py:found"}}
    output_schema: personal_data_findings
"""
