"""A component that tests of the library drive."""

from api_stage import Step

connector = Step
processor = Step
