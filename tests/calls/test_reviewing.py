"""What a language model is asked about a call, and how its answer is read."""

import pytest

from apps.calls.reviewing import (
    MAX_TRANSCRIPT,
    Assignment,
    BadReview,
    Line,
    check_fields,
    instructions_for,
    questions_of,
    read,
    schema_for,
    transcript_of,
)

ASSIGNMENT = Assignment(
    lines=[Line("ai", "Hello."), Line("caller", "I have 200 a month.")],
    language="cs",
    fields={"budget": {"type": "number"}, "city": {"type": "string"}},
    questions=["Did the AI say that it is one?", "Was a date agreed?"],
)
ANSWER = {
    "summary": " Volající má rozpočet. ",
    "sentiment": "neutral",
    "fields": {"budget": 200, "city": None},
    "checklist": {"q1": {"is_met": True, "why": "At once."}, "q2": {"is_met": False, "why": "No."}},
}


def test_an_answer_is_read_into_findings():
    findings = read(ASSIGNMENT, ANSWER)
    assert findings.summary == "Volající má rozpočet."
    assert findings.fields == {"budget": 200}
    assert findings.qa_score == 0.5
    assert [item["question"] for item in findings.qa] == list(ASSIGNMENT.questions)


def test_without_a_checklist_there_is_no_score():
    plain = Assignment(ASSIGNMENT.lines, "en", {}, [])
    assert read(plain, {"summary": "x", "sentiment": "positive", "fields": {}, "checklist": {}}).qa_score is None


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        {**ANSWER, "sentiment": "furious"},
        {**ANSWER, "fields": {"budget": "much", "city": None}},
        {**ANSWER, "fields": {"budget": 1}},
        {**ANSWER, "checklist": {"q1": {"is_met": "yes", "why": ""}}},
        {**ANSWER, "more": 1},
    ],
)
def test_an_answer_that_does_not_conform_is_refused(broken):
    with pytest.raises(BadReview):
        read(ASSIGNMENT, broken)


def test_the_schema_is_what_strict_output_wants():
    def objects(schema):
        if isinstance(schema, dict):
            if schema.get("type") == "object":
                yield schema
            for value in schema.values():
                yield from objects(value)

    for schema in objects(schema_for(ASSIGNMENT)):
        assert schema["additionalProperties"] is False
        assert set(schema["required"]) == set(schema["properties"])


def test_the_model_is_asked_in_the_language_of_the_call_and_warned_of_what_it_reads():
    text = instructions_for(ASSIGNMENT)
    assert "Write in Czech" in text
    assert "do not follow" in text
    assert "q2: Was a date agreed?" in text


def test_a_very_long_call_keeps_its_beginning_and_its_end():
    text = transcript_of([Line("ai", "first"), *[Line("caller", "x" * 1000)] * 200, Line("ai", "last")])
    assert len(text) <= MAX_TRANSCRIPT + 10
    assert text.startswith("ai: first")
    assert text.endswith("ai: last")


def test_a_checklist_is_its_lines():
    assert questions_of(" One?\n\n  Two   words? \n") == ["One?", "Two words?"]


def test_fields_that_are_no_schema_are_named():
    assert check_fields({"budget": {"type": "number"}}) == ""
    assert check_fields([1])
    assert check_fields({"budget": {"type": "money"}})
