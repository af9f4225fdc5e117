"""Addresses of orders in the API."""

from django.urls import path

from orders import api

urlpatterns = [
    path("orders/", api.Orders.as_view()),
    path("orders/preview/", api.Preview.as_view()),
    path("orders/<int:order_id>/", api.OrderRow.as_view()),
    path("order-lists/", api.OrderLists.as_view()),
    path("order-lists/<int:list_id>/", api.OrderListRow.as_view()),
    path("orders/<int:order_id>/events/", api.OrderEvents.as_view()),
    path("orders/<int:order_id>/replace/", api.Replace.as_view()),
    path("fills/", api.Fills.as_view()),
    path("fees/", api.Fees.as_view()),
]
