from app.admission.answers import Answers


def test_the_first_answer_for_an_id_stays() -> None:
    answers = Answers()
    answers.put(1, b"first")
    answers.put(1, b"second")
    assert answers.get(1) == b"first"


def test_number_and_bytes_are_bounded_and_the_oldest_give_way() -> None:
    answers = Answers(most=3, most_bytes=100)
    for number in range(5):
        answers.put(number, b"x" * 10)
    assert [answers.get(number) is not None for number in range(5)] == [False, False, True, True, True]
    answers.put(9, b"x" * 85)
    assert answers.get(9) is not None
    assert len(answers) == 2
